// Sees what must never happen in a tab: requests to other origins, scripts of strangers, dialogs, errors.

/** What went wrong in the tabs of one browser, in the order it did. */
export class Watch {
  #origins;
  #seen = [];

  /** @param {string[]} origins the only ones that may be asked for anything */
  constructor(origins) {
    this.#origins = new Set(origins);
  }

  /** Begins to look at everything that happens in this context. */
  async over(context) {
    context.on('request', (request) => {
      if (!this.#origins.has(new URL(request.url()).origin)) {
        this.#note(`a request left the origin: ${request.method()} ${request.url()}`);
      }
    });
    context.on('weberror', (error) => this.#note(`a script failed: ${error.error().stack ?? error.error()}`));
    context.on('dialog', (dialog) => {
      this.#note(`a ${dialog.type()} dialog opened: ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    context.on('console', (message) => {
      if (/content.security.policy/i.test(message.text())) {
        this.#note(`refused by the content security policy: ${message.text()}`);
      }
    });
    await context.exposeBinding('usherTestNote', (_, text) => this.#note(text));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        globalThis.usherTestNote(`the page broke its policy: ${event.effectiveDirective} ${event.blockedURI}`);
      });
    });
  }

  #note(text) {
    this.#seen.push(text);
  }

  /** What was seen since the last call. */
  take() {
    return this.#seen.splice(0);
  }
}
