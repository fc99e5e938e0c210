/** Several threads need a cross-origin isolated page; nothing else is configured. */
export default {
  eslint: { ignoreDuringBuilds: true },
  headers: async () => [{
    source: '/(.*)',
    headers: [
      { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
      { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
    ],
  }],
};
