import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { findPromtool } from './promtool-binary.mjs';

describe('findPromtool', () => {
  it('passes over what is none', () => {
    const folders = ['other', 'real'].map((name) => mkdtempSync(join(tmpdir(), `promtool-${name}-`)));
    for (const [n, says] of ['some other tool 3.1', 'promtool, version 2.42.0 (branch: debian/sid)'].entries()) {
      const path = join(folders[n]!, 'promtool');
      writeFileSync(path, `#!/bin/sh\necho "${says}"\n`);
      chmodSync(path, 0o755);
    }
    expect(findPromtool(folders.join(delimiter))).toBe(join(folders[1]!, 'promtool'));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
});
