import type { PgliteAnswer } from './pglite-protocol.js';
import { SessionGate } from './session-gate.js';

/** Stands for the thread: remembers what was posted, and answers when the test says so. */
class ManualSession {
  readonly posted: string[] = [];
  private readonly unanswered: { resolve: (answer: PgliteAnswer) => void; reject: (error: Error) => void }[] = [];

  execute({ text }: { text: string }): Promise<PgliteAnswer> {
    this.posted.push(text);
    return new Promise((resolve, reject) => this.unanswered.push({ resolve, reject }));
  }

  async answer({ inTransaction = false } = {}): Promise<void> {
    this.unanswered.shift()?.resolve({ kind: 'result', id: 0, inTransaction, rows: [], columns: [], rowCount: null });
    await new Promise(setImmediate);
  }

  async refuse(): Promise<void> {
    this.unanswered.shift()?.reject(new Error('no answer'));
    await new Promise(setImmediate);
  }
}

describe('SessionGate', () => {
  const alice = { name: 'alice' };
  const bob = { name: 'bob' };
  let session: ManualSession;
  let gate: SessionGate;

  beforeEach(() => {
    session = new ManualSession();
    gate = new SessionGate(session);
  });

  it('posts statements outside transactions without waiting for answers', () => {
    void gate.execute('1');
    void gate.execute('2', undefined, alice);
    void gate.execute('3', undefined, bob);
    expect(session.posted).toEqual(['1', '2', '3']);
  });

  it.each([
    'BEGIN',
    ' begin isolation level serializable',
    'START TRANSACTION',
    '-- why\n/* and\nhow */ BEGIN; SELECT 1',
  ])('makes a client the owner for %j', (text) => {
    void gate.execute(text, undefined, alice);
    expect(gate.isOwner(alice)).toBe(true);
  });

  it.each(['BEGINNING', 'SELECT 1; BEGIN', "SELECT 'BEGIN'", '-- BEGIN\nSELECT 1'])('does not for %j', (text) => {
    void gate.execute(text, undefined, alice);
    expect(gate.isOwner(alice)).toBe(false);
  });

  it('lets others wait, in order, until the transaction has ended', async () => {
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('other 1');
    void gate.execute('other 2', undefined, bob);
    void gate.execute('mine', undefined, alice);
    await session.answer({ inTransaction: true });
    await session.answer({ inTransaction: true });
    expect(session.posted).toEqual(['BEGIN', 'mine']);

    void gate.execute('COMMIT', undefined, alice);
    await session.answer();
    expect(session.posted).toEqual(['BEGIN', 'mine', 'COMMIT', 'other 1', 'other 2']);
  });

  it('keeps what a waiting client sent after its BEGIN together', async () => {
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('BEGIN', undefined, bob);
    void gate.execute('other');
    void gate.execute('bob', undefined, bob);
    void gate.execute('COMMIT', undefined, bob);
    void gate.execute('ROLLBACK', undefined, alice);
    await session.answer({ inTransaction: true });
    await session.answer();
    expect(session.posted).toEqual(['BEGIN', 'ROLLBACK', 'BEGIN', 'bob', 'COMMIT']);

    await session.answer({ inTransaction: true });
    await session.answer({ inTransaction: true });
    await session.answer();
    expect(session.posted.at(-1)).toBe('other');
  });

  it('stays with an owner whose next BEGIN follows its COMMIT without a pause', async () => {
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('COMMIT', undefined, alice);
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('other');
    await session.answer({ inTransaction: true });
    await session.answer();
    expect(session.posted).toEqual(['BEGIN', 'COMMIT', 'BEGIN']);
  });

  it('passes the session on after a BEGIN that failed', async () => {
    void gate.execute('BEGIN nonsense', undefined, alice);
    void gate.execute('other');
    await session.answer();
    expect(session.posted.at(-1)).toBe('other');
  });

  it('keeps the transaction when one of its statements could not be sent', async () => {
    void gate.execute('BEGIN', undefined, alice);
    const unsendable = gate.execute('SELECT $1', [], alice);
    void gate.execute('other');
    await session.answer({ inTransaction: true });
    await Promise.all([expect(unsendable).rejects.toThrow('no answer'), session.refuse()]);
    expect(gate.isOwner(alice)).toBe(true);
    expect(session.posted).not.toContain('other');
  });

  it('rolls back for a client that is released in a transaction, or before its BEGIN was sent', async () => {
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('BEGIN', undefined, bob);
    gate.release(bob);
    gate.release(alice);
    await session.answer({ inTransaction: true });
    await session.answer();
    expect(session.posted).toEqual(['BEGIN', 'ROLLBACK', 'BEGIN', 'ROLLBACK']);
  });

  it('sends nothing for a client that is released outside a transaction', () => {
    void gate.execute('SELECT 1', undefined, alice);
    gate.release(alice);
    expect(session.posted).toEqual(['SELECT 1']);
  });

  it('is idle once nothing is unanswered, waiting, or in a transaction', async () => {
    let isIdle = false;
    void gate.execute('BEGIN', undefined, alice);
    void gate.execute('other');
    const idle = gate.whenIdle().then(() => (isIdle = true));
    await session.answer({ inTransaction: true });
    void gate.execute('COMMIT', undefined, alice);
    await session.answer();
    expect(isIdle).toBe(false);
    await session.answer();
    await idle;
  });

  it.each([0, 1])(
    'posts what waits when the session is abandoned, so that it is refused, with %i statements of the owner under way',
    async (underWay) => {
      void gate.execute('BEGIN', undefined, alice);
      await session.answer({ inTransaction: true });
      const owned = Array.from({ length: underWay }, () => gate.execute('mine', undefined, alice));
      const waiting = gate.execute('other');
      gate.abandon();
      const refused = [...owned, waiting].map((statement) => expect(statement).rejects.toThrow('no answer'));
      for (let statement = 0; statement < refused.length; statement++) await session.refuse();
      await Promise.all(refused);

      const late = gate.execute('BEGIN', undefined, bob);
      await Promise.all([expect(late).rejects.toThrow('no answer'), session.refuse()]);
      expect(gate.isOwner(bob)).toBe(false);
      await gate.whenIdle();
    },
  );
});
