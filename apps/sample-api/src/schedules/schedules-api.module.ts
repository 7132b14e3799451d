import { Module } from '@nestjs/common';
import { ReportsTaskModule } from '../reports/reports-task.module.js';
import { ReportSchedules } from './report-schedules.js';
import { SchedulesController } from './schedules.controller.js';

@Module({ imports: [ReportsTaskModule], controllers: [SchedulesController], providers: [ReportSchedules] })
export class SchedulesApiModule {}
