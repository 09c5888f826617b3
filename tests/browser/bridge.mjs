// A browser behind JSON lines: each line on standard input names a step, each answer is one line on standard output.
//
//   {"step": "open", "tab": "rita", "look": {"script": false}}        a new tab with cookies of its own
//   {"step": "sign_in.local", "tab": "rita", "with": {…}}              any step of steps/*.mjs
//
//   {"step": "watched"}                                               what was seen and not yet told
//
// After every step the watch is asked; what it saw is a fault, unless the command is "tolerant".
// An answer is {"done": value}, or {"fault": "…"} with the page's address, text and a screenshot.

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { Keyboard, Mouse } from './hand.mjs';
import { chromium, executable } from './tools.mjs';
import { Watch } from './watch.mjs';

/** Generous: only a broken page ever makes anybody wait this long. */
const PATIENCE = 60_000;

const [origin, ...origins] = process.argv.slice(2);
const pictures = process.env.USHER_TEST_PICTURES;
mkdirSync(pictures, { recursive: true });

const watch = new Watch([origin, ...origins]);
const steps = {};
for (const file of readdirSync(join(import.meta.dirname, 'steps'))) {
  const group = file.replace('.mjs', '');
  for (const [name, step] of Object.entries(await import(`./steps/${file}`))) steps[`${group}.${name}`] = step;
}

const browser = await chromium.launch({
  executablePath: executable(),
  chromiumSandbox: process.getuid?.() !== 0,
  args: [
    '--disable-gpu',
    '--disable-quic',
    '--no-proxy-server',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
  ],
});
const tabs = new Map();

async function open(name, look = {}) {
  const context = await browser.newContext({
    baseURL: origin,
    javaScriptEnabled: look.script ?? true,
    colorScheme: 'light',
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    viewport: { width: 1280, height: 900 },
  });
  context.setDefaultTimeout(PATIENCE);
  await watch.over(context);
  const page = await context.newPage();
  const hand = look.keyboard ? new Keyboard(page) : new Mouse(page);
  await tabs.get(name)?.context.close();
  tabs.set(name, { name, origin, browser, context, page, hand, pictures, script: look.script ?? true });
}

async function perform({ step, tab: name, look, with: details }) {
  if (step === 'open') return open(name, look);
  if (step === 'watched') return watch.take();
  const [tab, run] = [tabs.get(name), steps[step]];
  if (!tab) throw new Error(`no tab ${name} was opened`);
  if (!run) throw new Error(`there is no step ${step}`);
  return run(tab, details ?? {});
}

async function describe(name, error) {
  const page = tabs.get(name)?.page;
  const answer = { fault: error.stack ?? String(error) };
  if (!page) return answer;
  try {
    answer.screenshot = join(pictures, `fault-${process.pid}-${name}.png`);
    await page.screenshot({ path: answer.screenshot, fullPage: true, timeout: 10_000 });
    answer.at = page.url();
    answer.text = (await page.locator('body').innerText({ timeout: 10_000 })).slice(0, 4_000);
  } catch {
    // The page is gone, which the fault itself says.
  }
  return answer;
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    const value = await perform(command);
    const seen = command.tolerant ? [] : watch.take();
    if (seen.length > 0) throw new Error(seen.join('\n'));
    answer = { done: value ?? null };
  } catch (error) {
    answer = await describe(command.tab, error);
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
