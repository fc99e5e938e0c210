'use client';
import { useEffect } from 'react';

export default function Page() {
  useEffect(() => {
    import('../../app/check.js').then(({ check }) => check())
      .catch((error) => ({ error: `${error}\n${error?.stack ?? ''}` }))
      .then((result) => (globalThis.__result = JSON.stringify(result)));
  }, []);
  return <p>running</p>;
}
