export { fromDrizzle, type DrizzleTransaction } from './from-drizzle.js';
export { fromKnex, type KnexTransaction } from './from-knex.js';
export { fromTypeOrm, type TypeOrmManager, type TypeOrmQueryRunner } from './from-typeorm.js';
export { migrateJobs } from './migrate-jobs.js';
export { NotInTransactionError } from './not-in-transaction.error.js';
