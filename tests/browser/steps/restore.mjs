// A person back: given again what they had.

import { button, done, field, go, link, press, refused, told } from '../page.mjs';

async function list(tab) {
  await go(tab, '/');
  await press(tab, link(tab, 'Restores', tab.page.getByRole('navigation', { name: 'Main' })));
}

/** Asks for a restore that nobody suggested, which is refused; why. */
export async function ask_in_vain(tab, { person, room }) {
  await list(tab);
  await tab.hand.write(field(tab, 'Person\'s e-mail address'), person);
  await tab.hand.write(field(tab, 'Room'), room);
  await press(tab, button(tab, 'Suggest a restore'));
  return refused(tab);
}

/** Opens the suggestion for somebody from the list; what the page says. */
export async function open(tab, { person }) {
  await list(tab);
  await press(tab, tab.page.getByRole('link', { name: new RegExp(`^Look and decide for .*${person}`) }));
  return told(tab);
}

/** Restores what is shown, but for the items that are dropped; what the page says. */
export async function apply(tab, { drop, reason }) {
  for (const label of drop) {
    await tab.hand.untick(tab.page.getByRole('checkbox', { name: new RegExp(`^${label}`) }));
  }
  await tab.hand.write(field(tab, 'Reason (stays in the history)').first(), reason);
  await press(tab, button(tab, 'Restore exactly this'));
  return done(tab);
}

/** Takes the restore back. */
export async function undo(tab, { reason }) {
  await tab.hand.write(field(tab, 'Reason (stays in the history)'), reason);
  await press(tab, button(tab, 'Undo the restore'));
  return done(tab);
}
