import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsHealthModule } from 'nestjs-jobs/health';
import { HealthController } from './health.controller.js';

const thresholds = {
  '*': { backlog: { degraded: 1_000 }, oldest: { degraded: '15m' }, deadLetters: { degraded: 10 } },
};

@Module({ imports: [TerminusModule, JobsHealthModule.forRoot({ thresholds })], controllers: [HealthController] })
export class HealthModule {}
