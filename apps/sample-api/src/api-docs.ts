import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';

export const DOCS_PATH = 'docs';

export function setUpApiDocs(app: INestApplication): void {
  const description = new DocumentBuilder()
    .setTitle('nestjs-jobs sample API')
    .setDescription('Turns CSV files into reports in the background.')
    .setVersion('1.0')
    .addTag('reports', 'Start a report and fetch what it made')
    .addTag('jobs', 'Where a job stands, and its cancellation')
    .addTag('health', 'For load balancers and orchestrators')
    .build();
  SwaggerModule.setup(DOCS_PATH, app, () => SwaggerModule.createDocument(app, description));
}
