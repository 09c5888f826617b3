// What a page looks like, and whether everybody can use it: in light, in dark and on a phone.

import { join } from 'node:path';

import { go } from '../page.mjs';
import { axeSource } from '../tools.mjs';

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
/** The width that WCAG 2.2 names in 1.4.10: up to here a page needs no scrolling to the side. */
const NARROW = { width: 320, height: 844 };

const EVERYTHING = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
};
/** Another theme changes colours and nothing else. */
const COLOURS = { runOnly: { type: 'rule', values: ['color-contrast'] } };

const source = axeSource();

/** Looks at the page of this path in all ways; what is wrong with it, and what it says. */
export async function page(tab, { path, picture }) {
  await see(tab, 'light', DESK);
  const { status, heading, text } = await go(tab, path);
  await tab.page.evaluate(source);
  const faults = [...(await judge(tab, 'light', EVERYTHING))];
  await photograph(tab, `${picture}-light`);
  await see(tab, 'dark', DESK);
  faults.push(...(await judge(tab, 'dark', COLOURS)));
  await photograph(tab, `${picture}-dark`);
  await see(tab, 'light', PHONE);
  faults.push(...(await judge(tab, 'phone', EVERYTHING)));
  await photograph(tab, `${picture}-phone`);
  await see(tab, 'light', NARROW);
  const over = await tab.page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`at a width of ${NARROW.width} the page reaches ${over} pixels too far to the right`);
  return { status, heading, text, faults };
}

/** What axe-core says of the page as it is now. */
export async function check(tab) {
  await tab.page.evaluate(source);
  return judge(tab, 'now', EVERYTHING);
}

/** Keeps a picture of the page as it is now. */
export const picture = (tab, { name }) => photograph(tab, name);

async function see(tab, colorScheme, size) {
  await tab.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await tab.page.setViewportSize(size);
}

async function photograph(tab, name) {
  await tab.page.screenshot({ path: join(tab.pictures, `${name}.png`), fullPage: true });
}

async function judge(tab, way, rules) {
  const { violations } = await tab.page.evaluate((rules) => globalThis.axe.run(document, rules), rules);
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${way}: ${id} (${help}): ${html}\n  ${failureSummary.replace(/\n/g, '\n  ')}`),
  );
}
