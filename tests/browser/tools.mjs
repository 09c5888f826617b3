// The pinned npm packages and the browser, found where the test run put them.

import { accessSync, constants, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = process.env.USHER_TEST_NPM;
const require = createRequire(join(folder, 'package.json'));

/** Playwright's Chromium. */
export const { chromium } = require('playwright-core');

/** The text of axe-core, to be evaluated in a page. */
export const axeSource = () => readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** A package that has modules only. */
export const module = (path) => import(pathToFileURL(join(folder, 'node_modules', path)).href);

/** The browser's executable. */
export function executable() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  for (const place of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      const path = join(place, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  throw new Error(`none of ${names.join(', ')} is on the PATH`);
}
