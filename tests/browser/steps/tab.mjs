// Steps that any story may take.

import { button, go, press, told } from '../page.mjs';

/** Goes to a path; the status, and what is shown. */
export const visit = (tab, { path }) => go(tab, path);

/** What is shown. */
export const look = (tab) => told(tab);

/** Presses a button or follows a link by its name; what is shown then. */
export async function push(tab, { name, role = 'button' }) {
  await press(tab, role === 'button' ? button(tab, name) : tab.page.getByRole(role, { name, exact: true }));
  return told(tab);
}

/** Goes back, as with the browser's own button; what is shown then. */
export async function back(tab) {
  await tab.page.goBack();
  return told(tab);
}

/** The cookies that the tab holds. */
export const cookies = (tab) => tab.context.cookies();

/** Puts cookies of another tab into this one. */
export const take = (tab, { cookies }) => tab.context.addCookies(cookies);

/** Sends a request from the tab's page, as a script of its own origin would, outside of what the page itself does. */
export async function send(tab, { method, path, headers, body }) {
  const answer = await tab.context.request.fetch(path, { method, headers, data: body, maxRedirects: 0 });
  return { status: answer.status(), headers: answer.headers(), text: await answer.text() };
}

/** A script that a stranger got onto a page would do this; the watch must see it. */
export async function misbehave(tab, { how }) {
  await tab.page.evaluate((how) => {
    const add = (name, properties) => document.body.append(Object.assign(document.createElement(name), properties));
    if (how === 'inline script') add('script', { textContent: 'document.title = "ours now"' });
    if (how === 'foreign picture') add('img', { src: 'http://elsewhere.example/picture.png' });
    if (how === 'dialog') setTimeout(() => alert('hello'));
    if (how === 'failure') setTimeout(() => { throw new Error('a script fails'); });
  }, how);
  // The watch hears of it with or after the next two messages from the page.
  await tab.page.evaluate(() => new Promise((heard) => setTimeout(heard, 0)));
  await tab.page.evaluate(() => new Promise((heard) => requestAnimationFrame(() => setTimeout(heard, 0))));
}
