import { Controller, Get, Header, NotFoundException, Param, StreamableFile } from '@nestjs/common';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { CSV_FILE, PDF_FILE } from './generate-report.js';
import { ReportStore } from './report-store.js';

const binary = { type: 'string', format: 'binary' } as const;

@ApiTags('reports')
@ApiNotFoundResponse({
  description: 'There is no report of this job, it is not finished, or it was removed because of its age.',
})
@Controller('reports/:id')
export class ReportFilesController {
  constructor(private readonly store: ReportStore) {}

  @Get(PDF_FILE)
  @Header('Cache-Control', 'private, no-cache')
  @Header('X-Content-Type-Options', 'nosniff')
  @ApiOperation({ summary: 'The finished report as a PDF, to look at' })
  @ApiProduces('application/pdf')
  @ApiOkResponse({ schema: binary })
  pdf(@Param('id') id: string): Promise<StreamableFile> {
    return this.send(id, PDF_FILE, 'application/pdf', 'inline');
  }

  @Get(CSV_FILE)
  @Header('Cache-Control', 'private, no-cache')
  @Header('X-Content-Type-Options', 'nosniff')
  @ApiOperation({ summary: 'The figures of every group as CSV, to download' })
  @ApiProduces('text/csv')
  @ApiOkResponse({ schema: binary })
  csv(@Param('id') id: string): Promise<StreamableFile> {
    return this.send(id, CSV_FILE, 'text/csv; charset=utf-8', 'attachment');
  }

  private async send(id: string, name: string, type: string, disposition: string): Promise<StreamableFile> {
    const file = await this.store.openFile(id, name);
    if (file === undefined) {
      throw new NotFoundException('There is no such report (any more), or it is not finished yet.');
    }
    const { size } = await file.stat();
    return new StreamableFile(file.createReadStream(), {
      type,
      length: size,
      disposition: `${disposition}; filename="${id}-${name}"`,
    });
  }
}
