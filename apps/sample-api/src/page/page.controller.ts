import { Controller, Get, Header, NotFoundException, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Response } from 'express';
import { pageFile } from './page-files.js';

/** What the page does without is not allowed to it: code or pictures of others, and text that is taken for markup. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** The page that makes reports, at `/`, and the files that it is made of. */
@ApiExcludeController()
@Controller()
export class PageController {
  @Get()
  @Header('Content-Security-Policy', POLICY)
  @Header('Referrer-Policy', 'no-referrer')
  index(@Res({ passthrough: true }) response: Response): Promise<string> {
    return this.send('index.html', response);
  }

  @Get('page/:name')
  file(@Param('name') name: string, @Res({ passthrough: true }) response: Response): Promise<string> {
    return this.send(name, response);
  }

  /** Express makes an ETag of the text, and answers 304 to who has it. */
  private async send(name: string, response: Response): Promise<string> {
    const file = await pageFile(name);
    if (file === undefined) throw new NotFoundException(`There is no file "${name}" of the page.`);
    response.type(file.type);
    response.setHeader('Cache-Control', 'no-cache');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    return file.text;
  }
}
