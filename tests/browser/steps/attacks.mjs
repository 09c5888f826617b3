// What strangers try: to get their text run as a page's own, and to have forms sent that nobody filled in.

import { go, told } from '../page.mjs';

/** Fields whose value decides which thing a form is about, or that are not for typing. */
const NOT_FOR_TEXT = ['hidden', 'checkbox', 'radio', 'file', 'submit', 'button', 'date', 'datetime-local', 'number'];

/** Goes to each path with each parameter set to the text; where something of the text became part of the page. */
export async function reflect(tab, { paths, parameters, text }) {
  const found = [];
  for (const path of paths) {
    const query = new URLSearchParams(parameters.map((name) => [name, text]));
    await go(tab, `${path}?${query}`);
    found.push(...(await intruders(tab, `${path} with parameters`)));
  }
  return found;
}

/** Goes to each path; where something of a stranger's text became part of the page. */
export async function visit(tab, { paths }) {
  const found = [];
  for (const path of paths) {
    const { status } = await go(tab, path);
    if (status !== 200) found.push(`${path}: answered ${status}`);
    found.push(...(await intruders(tab, path)));
  }
  return found;
}

/** Sends each form of each page with the text in every field that takes text; what forms there were, and what was found. */
export async function fill(tab, { paths, text, leave }) {
  const [found, sent] = [[], []];
  for (const path of paths) {
    await go(tab, path);
    const actions = await tab.page.locator('main form').evaluateAll((forms) => forms.map((form) => form.getAttribute('action')));
    for (const [at, action] of actions.entries()) {
      if (leave.some((word) => action?.endsWith(word))) continue;
      await go(tab, path);
      const form = tab.page.locator('main form').nth(at);
      // A form that was sent before may have taken this one away.
      if ((await form.count()) === 0 || (await form.getAttribute('action')) !== action) continue;
      const main = tab.page.mainFrame();
      const arrived = tab.page.waitForEvent('framenavigated', { predicate: (frame) => frame === main });
      await form.evaluate((form, { text, not }) => {
        for (const field of form.elements) {
          if (field.matches('input, textarea') && !not.includes(field.type)) {
            field.type = field.tagName === 'INPUT' ? 'text' : field.type;
            field.value = text;
          }
        }
        // Without the browser's own checks, which a stranger does not ask either.
        HTMLFormElement.prototype.submit.call(form);
      }, { text, not: NOT_FOR_TEXT });
      await arrived;
      await tab.page.waitForLoadState('load');
      sent.push(action ?? path);
      found.push(...(await intruders(tab, `${path}, form ${action}`)));
    }
  }
  return { found, sent };
}

/**
 * What of hostile texts became part of the page as it is: elements, attributes, and addresses that run something.
 * The texts all try to make an element with the attribute `data-intruder`.
 */
async function intruders(tab, where) {
  const found = await tab.page.evaluate(() => {
    const bad = Array.from(document.querySelectorAll('[data-intruder], main script, main style, main iframe, main object'));
    for (const element of document.querySelectorAll('[href], [src], [action], [formaction]')) {
      for (const name of ['href', 'src', 'action', 'formaction']) {
        const value = element.getAttribute(name);
        if (value === null) continue;
        const { protocol } = new URL(value, location.href);
        if (!['http:', 'https:', 'mailto:'].includes(protocol)) bad.push(element);
      }
    }
    for (const element of document.querySelectorAll('*')) {
      if (element.getAttributeNames().some((name) => name.startsWith('on'))) bad.push(element);
    }
    return bad.map((element) => element.outerHTML.slice(0, 300));
  });
  return found.map((html) => `${where}: ${html}`);
}

/** Has a page of another origin send a form to the console, with this tab's cookies; what came of it. */
export async function forge(tab, { from, path, fields, type }) {
  const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`,
  );
  await stranger(tab, from, `<form method="post" enctype="${type ?? 'application/x-www-form-urlencoded'}"
    action="${escape(tab.origin + path)}">${inputs.join('')}<button>Win a prize</button></form>`);
  const target = new URL(path, tab.origin).href;
  const answered = tab.page.waitForResponse((response) => response.url() === target && response.request().method() === 'POST');
  await tab.page.goto(`${from}/prize`);
  const [response] = await Promise.all([answered, tab.page.getByRole('button').click()]);
  await tab.page.waitForLoadState('load');
  return { status: response.status(), location: await response.headerValue('location'), ...(await told(tab)) };
}

/** Has a page of another origin show the console in a frame, and read it; what it got. */
export async function frame(tab, { from, path }) {
  await stranger(tab, from, `<h1>Prize</h1><iframe src="${tab.origin}${path}"></iframe>`);
  await tab.page.goto(`${from}/prize`);
  const inner = tab.page.frames()[1];
  const framed = await inner.evaluate(() => document.querySelector('main') !== null).catch(() => false);
  const read = await tab.page.evaluate(async (address) => {
    try {
      const answer = await fetch(address, { credentials: 'include' });
      return await answer.text();
    } catch {
      return null;
    }
  }, tab.origin + path);
  return { framed, read };
}

async function stranger(tab, from, body) {
  await tab.context.route(`${from}/prize`, (route) =>
    route.fulfill({ contentType: 'text/html', body: `<!doctype html><title>Prize</title>${body}` }),
  );
}

/** Opens an answer of the console by itself, as whoever follows a link to it does; what it is. */
export async function open(tab, { path }) {
  const response = await tab.page.goto(path);
  return {
    status: response.status(),
    type: await response.headerValue('content-type'),
    policy: await response.headerValue('content-security-policy'),
    sniffing: await response.headerValue('x-content-type-options'),
  };
}
