// What an app without the optional peers gets when it uses them all the same. It runs as an ES module and as CommonJS,
// and prints one JSON line: for each use 'works', or the message of the error.
/** @type {(specifier: string) => Promise<Record<string, any>>} */
const load = typeof require === 'function' ? async (specifier) => require(specifier) : (specifier) => import(specifier);

async function run() {
  const { NestFactory } = await load('@nestjs/core');
  const { JobsModule } = await load('nestjs-jobs');

  const boot = (/** @type {unknown} */ connection) =>
    NestFactory.createApplicationContext(JobsModule.forRoot({ connection }), { logger: false, abortOnError: false });

  /** @type {Record<string, () => Promise<unknown>>} */
  const uses = {
    embedded: () => boot({ embedded: { dataDir: 'memory://' } }),
    redis: () => boot('redis://127.0.0.1:1'),
    postgres: () => boot('postgres://127.0.0.1:1/none'),
    migrateJobs: async () => {
      const { migrateJobs } = await load('nestjs-jobs/postgres');
      await migrateJobs({ connection: 'postgres://127.0.0.1:1/none' });
    },
    fromDrizzle: async () => {
      const { fromDrizzle } = await load('nestjs-jobs/postgres');
      await fromDrizzle({ rollback() {}, execute: async () => [] }).query('SELECT 1', []);
    },
  };
  for (const specifier of process.argv.slice(2)) uses[specifier] = () => load(specifier);

  /** @type {Record<string, string>} */
  const outcomes = {};
  for (const [name, use] of Object.entries(uses)) {
    outcomes[name] = await use().then(
      () => 'works',
      (error) => error.message,
    );
  }
  console.log(JSON.stringify(outcomes));
}

run().then(
  () => process.exit(),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
