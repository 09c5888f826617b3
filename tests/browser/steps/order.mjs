// An order's way to a live room.

import { button, done, field, go, link, press, refused, says, told } from '../page.mjs';

/** Fills in the form of a new order and sends it to the vendor; the order's path. */
export async function place(tab, { room, customer, administrator, group, expected }) {
  await go(tab, '/');
  await press(tab, link(tab, 'Orders', tab.page.getByRole('navigation', { name: 'Main' })));
  await press(tab, link(tab, 'Order a room').first());
  await tab.hand.write(field(tab, 'Name of the room'), room);
  await tab.hand.write(field(tab, 'Customer'), customer);
  await tab.hand.choose(field(tab, 'Model'), 'open');
  await tab.hand.write(field(tab, 'Company e-mail address'), administrator);
  await tab.hand.tick(tab.page.getByRole('radio', { name: /^Yes/ }));
  await tab.hand.write(field(tab, 'Group'), group);
  await tab.hand.write(field(tab, 'How many people are expected'), expected);
  await press(tab, button(tab, 'Save as a draft'));
  await done(tab);
  await press(tab, button(tab, 'Send the order'));
  await done(tab);
  return (await told(tab)).path;
}

/** Finds the order by the room's name and accepts it. */
export async function accept(tab, { room, name, email }) {
  await go(tab, '/');
  await press(tab, link(tab, 'Orders', tab.page.getByRole('navigation', { name: 'Main' })));
  await press(tab, link(tab, room));
  await tab.hand.write(field(tab, 'Set-up user\'s name'), name);
  await tab.hand.write(field(tab, 'Set-up user\'s e-mail address'), email);
  await press(tab, button(tab, 'Accept the order'));
  return done(tab);
}

/** Says where the room is in the portal; an address that is none is refused first, and nothing that was typed is lost. */
export async function ready(tab, { id, url }) {
  await tab.hand.write(field(tab, 'The portal\'s id of the room'), id);
  await tab.hand.write(field(tab, 'The room\'s address'), url);
  await press(tab, button(tab, 'The room is ready'));
  return done(tab);
}

/** Confirms the plan that is shown; what it said, and what came of it. */
export async function confirm(tab) {
  const plan = await tab.page.locator('#plan').innerText();
  await press(tab, button(tab, 'Confirm exactly this'));
  return { plan, done: await done(tab) };
}

/** Presses one of the last steps. */
export async function finish(tab, { step }) {
  await press(tab, button(tab, step));
  return done(tab);
}

/** Presses one of the last steps too early; why it is refused. */
export async function finish_early(tab, { step }) {
  await press(tab, button(tab, step));
  return refused(tab);
}

/** Waits until the page says something by itself; without a script, loads it again first. */
export async function see(tab, { text }) {
  if (!tab.script) await tab.page.reload();
  await says(tab, text);
}
