// Signing in and out.

import { button, field, go, link, press, told } from '../page.mjs';

/** As a local administrator. */
export async function local(tab, { name = 'admin', password, path = '/' }) {
  await go(tab, path);
  await tab.hand.write(field(tab, 'Name'), name);
  await tab.hand.write(field(tab, 'Password'), password);
  await press(tab, button(tab, 'Sign in'));
  return told(tab);
}

/** By a provider that asks for an account. Who is known there already is not asked. */
export async function provider(tab, { label, account, path = '/' }) {
  await go(tab, path);
  await press(tab, link(tab, `Sign in with ${label}`));
  if (tab.page.url().includes('/interaction/')) {
    await tab.hand.write(field(tab, 'Account'), account);
    await press(tab, button(tab, 'Continue'));
  }
  return told(tab);
}

/** As `provider`, but the answer of the provider is not taken to the console; its address. */
export async function caught(tab, { label, account, path }) {
  await provider(tab, { label, account: `kept:${account}`, path });
  return link(tab, 'Go on').getAttribute('href');
}

/** Signs out by the button of every page. */
export async function out(tab) {
  await press(tab, button(tab, 'Sign out'));
  return told(tab);
}
