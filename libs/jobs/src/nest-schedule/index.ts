export { NestScheduleError } from './nest-schedule.error.js';
export { PerProcess } from './per-process.decorator.js';
