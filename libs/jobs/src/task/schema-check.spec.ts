import { z } from 'zod';
import { checkPayload, parsePayload, parseResult } from './schema-check.js';
import { PayloadInvalidError, ResultInvalidError } from './schema.errors.js';
import type { StandardSchemaV1, StandardResult } from './standard-schema.js';

const order = z.object({ id: z.string(), rows: z.array(z.object({ 'unit-price': z.number() })) });

function schema(validate: (value: unknown) => StandardResult<unknown> | Promise<StandardResult<unknown>>) {
  return { '~standard': { version: 1, vendor: 'test', validate } } satisfies StandardSchemaV1;
}

const failureOf = (check: Promise<unknown>): Promise<PayloadInvalidError> =>
  check.then(
    () => Promise.reject(new Error('it was accepted')),
    (error: PayloadInvalidError) => error,
  );

describe('what a schema says', () => {
  it('is told with paths, of the place in a list too', async () => {
    const wrong = { id: 7, rows: [{ 'unit-price': 1 }, { 'unit-price': 'much' }] };
    const failure = await failureOf(checkPayload('order', order, wrong));
    expect(failure).toBeInstanceOf(PayloadInvalidError);
    expect(failure.issues.map(({ path }) => path)).toEqual(['$.id', '$.rows[1]["unit-price"]']);
    expect(failure.message).toMatch(
      /task "order" does not match its schema: \$\.id: .*; \$\.rows\[1\]\["unit-price"\]: .*\.$/,
    );
    const listed = await failureOf(checkPayload('order', order, wrong, 'entries[3]'));
    expect(listed.issues[0]!.path).toBe('entries[3].payload.id');
  });

  it('is told of the whole, and of paths with segments', async () => {
    const odd = schema(() => ({
      issues: [{ message: 'no' }, { message: 'never', path: [{ key: 'a' }, Symbol('b'), { key: 0 }] }],
    }));
    const { issues } = await failureOf(parsePayload('odd', odd, 1));
    expect(issues).toEqual([
      { path: '$', message: 'no' },
      { path: '$.a["Symbol(b)"][0]', message: 'never' },
    ]);
  });

  it('is bounded, however much is wrong', async () => {
    const long = 'x'.repeat(10_000);
    const many = schema(() => ({ issues: Array.from({ length: 1_000 }, () => ({ message: long, path: [long] })) }));
    const failure = await failureOf(parsePayload('many', many, 1));
    expect(failure.issues).toHaveLength(20);
    expect(failure.message.length).toBeLessThan(9_000);
    expect(failure.message).toMatch(/; and 980 more\.$/);
  });

  it('is waited for', async () => {
    const slow = schema(async (value) => ({ value: [value] }));
    expect(await parsePayload('slow', slow, 1)).toEqual([1]);
    const refusing = schema(async () => ({ issues: [{ message: 'no' }] }));
    expect(await failureOf(parseResult('slow', refusing, 1))).toBeInstanceOf(ResultInvalidError);
    expect(await failureOf(checkPayload('slow', refusing, 1))).toBeInstanceOf(PayloadInvalidError);
  });

  it('leaves what a schema throws itself', async () => {
    const broken = schema(() => {
      throw new RangeError('broken');
    });
    await expect(parsePayload('broken', broken, 1)).rejects.toThrow(RangeError);
  });
});
