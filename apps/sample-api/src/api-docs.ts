import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

export const DOCS_PATH = 'docs';

export function setUpApiDocs(app: INestApplication): void {
  const description = new DocumentBuilder()
    .setTitle('nestjs-jobs sample API')
    .setDescription(
      'Turns CSV files into reports, once or by a schedule, imports rows, delivers webhooks and charges payments, in the background.',
    )
    .setVersion('1.0')
    .addBearerAuth()
    .addTag('reports', 'Start a report and fetch what it made')
    .addTag('webhooks', 'Deliver events to URLs')
    .addTag('payments', 'Charge once')
    .addTag('imports', 'Check and add up the rows of a file, many at the same time')
    .addTag('schedules', 'Have a report made again and again')
    .addTag('jobs', 'Where a job and its parts stand, and its cancellation')
    .addTag('dead letters', 'For operators: jobs that failed, and doing them again')
    .addTag('health', 'For load balancers and orchestrators')
    .build();
  SwaggerModule.setup(DOCS_PATH, app, () => SwaggerModule.createDocument(app, description));
}
