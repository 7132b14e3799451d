import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { JobsHealthModule } from 'nestjs-jobs/health';
import { HealthController } from './health.controller.js';

@Module({ imports: [TerminusModule, JobsHealthModule], controllers: [HealthController] })
export class HealthModule {}
