import { Module } from '@nestjs/common';
import { CsvUploads } from './csv-uploads.js';
import { ReportFilesController } from './report-files.controller.js';
import { ReportsController } from './reports.controller.js';
import { ReportsTaskModule } from './reports-task.module.js';

@Module({
  imports: [ReportsTaskModule],
  controllers: [ReportsController, ReportFilesController],
  providers: [CsvUploads],
})
export class ReportsApiModule {}
