// What steps do again and again with a page.

/** Goes to an address of the console, as somebody does who types it. */
export async function go(tab, path) {
  const response = await tab.page.goto(path);
  return { status: response.status(), ...(await told(tab)) };
}

/** Sends a form or follows a link, says yes where the script asks once more, and waits for the page that comes. */
export async function press(tab, target) {
  const asks = tab.script && (await target.getAttribute('data-confirm')) !== null;
  if (asks) {
    await tab.hand.press(target);
    target = tab.page.locator('.sure button[type=submit]');
  }
  const main = tab.page.mainFrame();
  const arrived = tab.page.waitForEvent('framenavigated', { predicate: (frame) => frame === main });
  await Promise.all([arrived, tab.hand.press(target)]);
  await tab.page.waitForLoadState('load');
}

/** A button, by its whole name. */
export const button = (tab, name, within = tab.page) => within.getByRole('button', { name, exact: true });

/** A link, by its whole name. */
export const link = (tab, name, within = tab.page) => within.getByRole('link', { name, exact: true });

/** A form field, by its label. */
export const field = (tab, label, within = tab.page) => within.getByLabel(label, { exact: true });

/** Opens a part of the page that is folded, unless it is open. */
export async function unfold(tab, summary, within = tab.page) {
  const details = within.locator('details').filter({ has: tab.page.locator('summary', { hasText: summary }) }).last();
  if ((await details.getAttribute('open')) === null) {
    await tab.hand.press(details.locator('summary').first());
  }
  return details;
}

/** Waits until the page says this somewhere. */
export async function says(tab, text) {
  await tab.page.getByText(text).filter({ visible: true }).first().waitFor();
}

/** The sentence by which a page says that something was done. */
export async function done(tab) {
  return (await tab.page.locator('.message.good[role=status]').innerText()).trim();
}

/** The message by which a page says that something was not done. */
export async function refused(tab) {
  const problem = tab.page.locator('#problem');
  await problem.waitFor();
  return (await problem.innerText()).trim();
}

/** Where the tab is and what it shows. */
export async function told(tab) {
  const heading = tab.page.getByRole('heading', { level: 1 });
  return {
    path: new URL(tab.page.url()).pathname,
    query: new URL(tab.page.url()).search,
    heading: (await heading.count()) > 0 ? (await heading.first().innerText()).trim() : null,
    text: await tab.page.locator('body').innerText(),
  };
}
