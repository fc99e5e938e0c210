import { useState } from 'react';
import { defaultModel } from 'ternspike/default-model';
import { useTernspike } from './useTernspike.js';

export function App() {
  const [prompt, setPrompt] = useState('Once upon a time');
  const { status, progress, text, error, generate, stop } = useTernspike(defaultModel);
  return (
    <main>
      <input value={prompt} onChange={(event) => setPrompt(event.target.value)} />
      {status === 'running'
        ? <button type='button' onClick={stop}>Stop</button>
        : (
          <button type='button' disabled={status !== 'ready'} onClick={() => generate(prompt, { maxTokens: 100 })}>
            Tell a story
          </button>
        )}
      {status === 'loading' && <progress value={progress} />}
      <p id='story'>{text}</p>
      {error && <p role='alert'>{String(error)}</p>}
    </main>
  );
}
