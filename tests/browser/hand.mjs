// Two ways to use a page: with a mouse, and with nothing but a keyboard. Steps are written once for both.

/** More presses of Tab than any page of ours has stops. */
const STOPS = 400;

/** Points, clicks and types, as Playwright does it: what is hidden, covered or disabled cannot be used. */
export class Mouse {
  constructor(page) {
    this.page = page;
  }

  /** A link or a button. */
  async press(target) {
    await target.click();
  }

  /** A text field. */
  async write(target, text) {
    await target.fill(text);
  }

  /** An option of a select, by its value. */
  async choose(target, value) {
    await target.selectOption(value);
  }

  /** A checkbox or a radio button, which is set afterwards. */
  async tick(target) {
    await target.check();
  }

  /** A checkbox, which is clear afterwards. */
  async untick(target) {
    await target.uncheck();
  }
}

/** Reaches everything by Tab, and works with Enter, Space, arrows and letters. */
export class Keyboard {
  constructor(page) {
    this.page = page;
  }

  async press(target) {
    await this.#reach(target);
    await this.page.keyboard.press('Enter');
  }

  async write(target, text) {
    await this.#reach(target);
    await this.page.keyboard.press('ControlOrMeta+A');
    await this.page.keyboard.press('Delete');
    const kind = await target.getAttribute('type');
    if (['date', 'datetime-local', 'time'].includes(kind)) {
      // The keys of these fields depend on the browser's language.
      await target.fill(text);
    } else {
      await this.page.keyboard.insertText(text);
    }
  }

  async choose(target, value) {
    await this.#reach(target);
    const options = await target.evaluate((select) => Array.from(select.options, (option) => option.value));
    const wanted = options.indexOf(value);
    if (wanted < 0) throw new Error(`no option ${value} among ${options.join(', ')}`);
    await this.page.keyboard.press('Home');
    for (let at = await target.evaluate((select) => select.selectedIndex); at < wanted; at += 1) {
      await this.page.keyboard.press('ArrowDown');
    }
    const chosen = await target.inputValue();
    if (chosen !== value) throw new Error(`the arrow keys chose ${chosen}, not ${value}`);
  }

  async tick(target) {
    const radios = await target.evaluate((input) => {
      if (input.type !== 'radio') return null;
      return Array.from(input.form?.elements[input.name] ?? [input]).indexOf(input);
    });
    if (radios === null) {
      await this.#reach(target);
      if (!(await target.isChecked())) await this.page.keyboard.press('Space');
    } else {
      // One stop for the whole group; the arrows go on inside it.
      await this.#reach(target, true);
      await this.page.keyboard.press('Space');
      for (let turns = 0; turns < 20 && !(await target.isChecked()); turns += 1) {
        await this.page.keyboard.press('ArrowDown');
      }
    }
    if (!(await target.isChecked())) throw new Error(`the keyboard cannot set ${target}`);
  }

  async untick(target) {
    await this.#reach(target);
    if (await target.isChecked()) await this.page.keyboard.press('Space');
    if (await target.isChecked()) throw new Error(`the keyboard cannot clear ${target}`);
  }

  async #reach(target, group = false) {
    await target.waitFor({ state: 'visible' });
    for (let stop = 0; stop < STOPS; stop += 1) {
      const here = await target.evaluate((element, group) => {
        const active = document.activeElement;
        return active === element || (group && active?.name === element.name && active?.form === element.form);
      }, group);
      if (here) {
        await this.#isSeen();
        return;
      }
      await this.page.keyboard.press('Tab');
    }
    throw new Error(`Tab never reaches ${target}`);
  }

  /** Who works with the keyboard must see where they are. */
  async #isSeen() {
    const fault = await this.page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
      if (!outlined && style.boxShadow === 'none') return 'shows no focus';
      const { width, height, top, bottom } = element.getBoundingClientRect();
      if (width < 1 || height < 1) return 'has no size while it has the focus';
      return bottom < 0 || top > innerHeight ? 'has the focus outside of the window' : null;
    });
    if (fault) {
      const what = await this.page.evaluate(() => document.activeElement.outerHTML.slice(0, 200));
      throw new Error(`${what} ${fault}`);
    }
  }
}
