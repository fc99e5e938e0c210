import { check } from '../../../app/check.js';

export const dynamic = 'force-dynamic';

export async function GET() {
  return Response.json(await check());
}
