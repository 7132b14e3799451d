import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium } from './chromium-binary.mjs';

describe('findChromium', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'chromium-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function program(name: string, says: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho "${says}"\n`);
    chmodSync(path, 0o755);
    return path;
  }

  it('passes over what only says how to install it', () => {
    program('chromium-browser', 'Command requires the chromium snap to be installed.');
    const chrome = program('google-chrome', 'Google Chrome 150.0.1 ');
    expect(findChromium({ searchPath: folder })).toBe(chrome);
  });

  it('prefers Chromium', () => {
    program('google-chrome', 'Google Chrome 150.0.1');
    const chromium = program('chromium', 'Chromium 150.0.1 built on Debian GNU/Linux');
    expect(findChromium({ searchPath: folder })).toBe(chromium);
  });
});
