import { useCallback, useEffect, useRef, useState } from 'react';
import { open } from 'ternspike/worker';

/**
 * A model in a worker, for a component: it opens with the component and goes with it.
 * @param source a URL, a File, bytes … : the same value in every render, or the model is opened again
 * @param options of `open` of ternspike/worker, read when the model is opened
 * @returns `status`: loading, ready, running or failed; `progress` of loading, 0 … 1; `text` of the last generation so far,
 *   `usage` when it is over; `error`; `generate(prompt, options)`; `stop()`
 */
export function useTernspike(source, options) {
  const [state, setState] = useState({ status: 'loading', progress: 0, text: '', usage: null, error: null });
  const model = useRef(null);
  const running = useRef(null);
  const update = useCallback((change) => setState((now) => ({ ...now, ...change })), []);

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let opened = null;
    update({ status: 'loading', progress: 0, text: '', usage: null, error: null });
    open(source, {
      ...options,
      signal,
      onProgress: ({ fraction }) => !signal.aborted && update({ progress: fraction }),
    })
      .then((result) => {
        opened = result;
        if (signal.aborted) return opened.dispose();
        model.current = opened;
        update({ status: 'ready', progress: 1 });
      })
      .catch((error) => signal.aborted || update({ status: 'failed', error }));
    return () => {
      controller.abort();
      running.current?.abort();
      model.current = null;
      opened?.dispose();
    };
    // options are read when the model is opened
  }, [source, update]);

  const stop = useCallback(() => running.current?.abort(), []);

  const generate = useCallback(async (prompt, generation = {}) => {
    if (!model.current) throw new Error('the model is not loaded yet');
    stop();
    const controller = (running.current = new AbortController());
    const { signal } = controller;
    let text = '';
    update({ status: 'running', text, usage: null, error: null });
    try {
      for await (const chunk of model.current.generate(prompt, { ...generation, signal })) {
        text += chunk.text;
        update({ text, usage: chunk.usage ?? null });
      }
    } catch (error) {
      if (!signal.aborted) update({ error });
    }
    if (running.current === controller && model.current) update({ status: 'ready' });
    return text;
  }, [stop, update]);

  return { ...state, generate, stop };
}
