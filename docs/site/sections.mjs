/** The order of the site: sections, and in each the pages by name and file. */
const SECTIONS = [
  {
    title: 'Guide',
    pages: [
      ['Introduction', 'index.md'],
      ['Getting started', 'guide.md'],
      ['Examples', 'examples.md'],
      ['Bundlers, workers, edge', 'bundlers.md'],
      ['The page', 'page.md'],
    ],
  },
  {
    title: 'Concepts',
    pages: [
      ['Ternary, spikes, threads, bits', 'concepts.md'],
      ['Design', 'design.md'],
      ['Threads', 'threads.md'],
      ['Sessions side by side', 'parallel.md'],
    ],
  },
  {
    title: 'Running models',
    pages: [
      ['Generation', 'generation.md'],
      ['Structured output and tools', 'structured.md'],
      ['AI SDK', 'ai-sdk.md'],
      ['Serving', 'serving.md'],
      ['Hubs and the store', 'store.md'],
      ['Batches and several machines', 'scale.md'],
      ['Reliability', 'reliability.md'],
      ['Fuzzing', 'fuzzing.md'],
    ],
  },
  {
    title: 'Models',
    pages: [
      ['Bundled model', 'models.md'],
      ['Folders', 'folders.md'],
      ['Tokenizers', 'tokenizers.md'],
      ['SymbolicLight V1', 'symboliclight.md'],
      ['Spiking BERT', 'spikingbert.md'],
      ['Dense BERT', 'bert.md'],
    ],
  },
  {
    title: 'Evaluation',
    pages: [['GLUE', 'evaluation.md'], ['A/B comparison', 'comparing.md']],
  },
  {
    title: 'Distillation',
    pages: [['Text-generating students', 'distillation.md'], ['Spiking BERT', 'distillation-bert.md']],
  },
  {
    title: 'Performance',
    pages: [['Measurements', 'performance.md'], ['Compared with others', 'compared.md']],
  },
  {
    title: 'Reference',
    pages: [['Command line', 'command-line.md'], ['Errors', 'errors.md'], ['Compatibility', 'compatibility.md']],
  },
  {
    title: 'Contributing',
    pages: [['Contributing', 'contributing.md'], ['Adding a kernel, a format, a model', 'adding.md'], [
      'Security',
      'security.md',
    ]],
  },
];

/** The sections for these files; pages that have no place yet come last. */
export function sectionsOf(files) {
  const placed = new Set(SECTIONS.flatMap(({ pages }) => pages.map(([, file]) => file)));
  const others = files.filter((file) => !placed.has(file)).map((file) => [file.replace('.md', ''), file]);
  return [
    ...SECTIONS.map(({ title, pages }) => ({ title, pages: pages.filter(([, file]) => files.includes(file)) })),
    { title: 'More', pages: others },
  ].filter(({ pages }) => pages.length > 0);
}
