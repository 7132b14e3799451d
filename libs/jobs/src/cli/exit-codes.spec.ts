import * as library from '../index.js';
import { CliError, EXIT_CODES, exitCodeOf } from './exit-codes.js';

const errorOf = (name: string): Error => Object.assign(new Error('no'), { name });

describe('the exit codes', () => {
  it('[M4] are 1 for what nobody expected', () => {
    expect([exitCodeOf(new Error('no')), exitCodeOf('no'), exitCodeOf(errorOf('toString'))]).toEqual([1, 1, 1]);
  });

  it('[M4] are those that a command says', () => {
    expect(exitCodeOf(new CliError('no', EXIT_CODES.refused))).toBe(5);
  });

  it.each([
    ['InvalidArgumentError', 2],
    ['InvalidDeadLetterFilterError', 2],
    ['InvalidScheduleError', 2],
    ['JobNotFoundError', 3],
    ['DeadLetterNotFoundError', 3],
    ['ScheduleNotFoundError', 3],
    ['ProcessNotFoundError', 3],
    ['BackendUnavailableError', 4],
    ['MigrationsMissingError', 4],
    ['MissingPeerError', 4],
    ['DataDirectoryLockedError', 4],
    ['ScheduleExistsError', 5],
    ['ProcessRefusedError', 5],
    ['DuplicateJobError', 5],
    ['NotRedrivableError', 5],
    ['ProcessNotAnsweringError', 1],
  ])('[M4] know %s of the library', (name, code) => {
    expect(library).toHaveProperty(name);
    expect(exitCodeOf(errorOf(name))).toBe(code);
  });
});
