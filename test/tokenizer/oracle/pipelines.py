"""Pipelines in the shapes of published models, with small vocabularies that are trained here."""
import json
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from texts import Texts, WORDS

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace('{1,3}', '')
O200K = '|'.join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"])
TEKKEN = '|'.join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"])
DEEPSEEK3 = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
             r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


# texts of rare characters, for byte-level merges and unknown pieces
RARE = 500


def corpus(files):
    """What vocabularies are trained on: the project's own texts, and words of many scripts."""
    lines = [line for path in files for line in open(path, encoding='utf-8').read().splitlines()]
    draw = random.Random('corpus')
    for _ in range(1500):
        lines.append(' '.join(draw.choice(WORDS) for _ in range(8)))
    texts = Texts('corpus', [])
    return lines + [texts.text(index) for index in range(RARE)]


def train(tokenizer, trainer, lines, tokens):
    tokenizer.train_from_iterator(lines, trainer=trainer)
    tokenizer.add_tokens(tokens)
    return tokenizer


def bpe(lines, tokens, byte_level=True, size=700, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    options = {'initial_alphabet': pre_tokenizers.ByteLevel.alphabet()} if byte_level else {}
    return tokenizer, trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)


def special(*contents, **options):
    return [AddedToken(content, special=True, normalized=False, **options) for content in contents]


def sequence(*parts):
    return pre_tokenizers.Sequence(list(parts))


def split(pattern, behavior='isolated', invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(regex=True, prefix=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def byte_bpe(lines, pre, tokens, normalizer=None, post=None, **model):
    tokenizer, trainer = bpe(lines, tokens, **model)
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, trainer, lines, tokens)
    tokenizer.post_processor = post(tokenizer) if post else processors.ByteLevel(trim_offsets=False)
    return tokenizer


def around(first, last=None):
    def make(tokenizer):
        parts = [part for part in [first, '$A', last] if part]
        named = [(part, tokenizer.token_to_id(part)) for part in parts if part != '$A']
        return processors.TemplateProcessing(single=parts, pair=parts + ['$B'], special_tokens=named)
    return make


def spm_bpe(lines, tokens, normalizer, pre=None, decoder=None, post=None, marks='▁', size=900):
    """Merges over characters with byte fallback, as converted from SentencePiece."""
    trainer_input = [line.replace(' ', marks) for line in lines]
    tokenizer = Tokenizer(models.BPE(unk_token='<unk>', fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(marks, 'merged_with_next')
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, limit_alphabet=220,
                                  special_tokens=['<unk>', '<s>', '</s>'] + [f'<0x{byte:02X}>' for byte in range(256)])
    tokenizer.train_from_iterator(trainer_input, trainer=trainer)
    file = json.loads(tokenizer.to_str())
    # byte pieces are of the model only
    file['added_tokens'] = [token for token in file['added_tokens'] if not token['content'].startswith('<0x')]
    file['pre_tokenizer'] = None
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder or decoders.Sequence([
        decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    tokenizer.add_tokens(tokens)
    tokenizer.post_processor = (post or around('<s>'))(tokenizer)
    return tokenizer


def wordpiece(lines, lowercase, tokens, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token='[UNK]', max_input_chars_per_word=options.pop('longest', 100)))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, **options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=900, show_progress=False,
                                        special_tokens=['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'])
    train(tokenizer, trainer, lines, tokens)
    tokenizer.decoder = decoders.WordPiece(prefix='##')
    tokenizer.post_processor = processors.BertProcessing(('[SEP]', 3), ('[CLS]', 2))
    return tokenizer


def unigram(lines, normalizer, pre, decoder, tokens, post, unk='<unk>', byte_fallback=False, first=('<pad>', '</s>', '<unk>')):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    trainer = trainers.UnigramTrainer(vocab_size=1200, show_progress=False, unk_token=unk, special_tokens=list(first))
    tokenizer.train_from_iterator(lines[:-RARE], trainer=trainer)
    if byte_fallback:
        file = json.loads(tokenizer.to_str())
        file['model']['byte_fallback'] = True
        file['model']['vocab'] += [[f'<0x{byte:02X}>', -20.0] for byte in range(256)]
        tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.decoder = decoder
    tokenizer.add_tokens(tokens)
    tokenizer.post_processor = post(tokenizer)
    return tokenizer


def pipelines(lines):
    """Name and tokenizer of each."""
    nfkc = normalizers.NFKC()
    llama_normal = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    metaspace = pre_tokenizers.Metaspace
    chat = special('<|im_start|>', '<|im_end|>', '<|endoftext|>')
    yield 'gpt2', byte_bpe(lines, byte_level(), special('<|endoftext|>'))
    yield 'roberta', byte_bpe(lines, byte_level(prefix=True), special('<s>', '</s>') + [AddedToken('<mask>', lstrip=True, special=True)],
                              post=lambda tok: processors.RobertaProcessing(('</s>', tok.token_to_id('</s>')), ('<s>', tok.token_to_id('<s>'))))
    yield 'llama3', byte_bpe(lines, sequence(split(LLAMA3), byte_level(False)),
                             special('<|begin_of_text|>', '<|eot_id|>', '<|start_header_id|>'), post=around('<|begin_of_text|>'), ignore_merges=True)
    yield 'qwen2', byte_bpe(lines, sequence(split(QWEN2), byte_level(False)), chat + [AddedToken('<tool_call>', normalized=False)],
                            normalizers.NFC())
    yield 'gpt-4o', byte_bpe(lines, sequence(split(O200K, 'removed', True), byte_level(False)), chat)
    yield 'tekken', byte_bpe(lines, sequence(split(TEKKEN), byte_level(False)), special('<s>', '</s>', '[INST]', '[/INST]'),
                             post=around('<s>'), ignore_merges=True)
    yield 'falcon', byte_bpe(lines, sequence(pre_tokenizers.Punctuation('contiguous'), byte_level(), pre_tokenizers.Digits(False),
                                             split('[0-9][0-9][0-9]')), special('>>TITLE<<', '<|endoftext|>'))
    yield 'deepseek-v3', byte_bpe(lines, sequence(split(r'\p{N}{1,3}'), split('[一-龥぀-ゟ゠-ヿ]+'), split(DEEPSEEK3), byte_level(False)),
                                  special('<｜begin▁of▁sentence｜>', '<｜User｜>') + [AddedToken('<think>', normalized=False)],
                                  normalizers.Sequence([]), around('<｜begin▁of▁sentence｜>'))
    yield 'deepseek-llm', byte_bpe(lines, sequence(split('[\r\n]'), split(r'\s?\p{L}+'), split(r'\s?\p{P}+'), split('[一-龥ࠀ-一가-퟿]+'),
                                                   pre_tokenizers.Digits(True), byte_level(False)), special('<｜end▁of▁sentence｜>'))
    yield 'starcoder', byte_bpe(lines, sequence(pre_tokenizers.Digits(True), byte_level()), special('<fim_prefix>', '<|endoftext|>'))
    yield 'bloom', byte_bpe(lines, sequence(split(BLOOM), byte_level(False)), special('<s>', '</s>', '<pad>'))
    yield 'gpt-neox', byte_bpe(lines, byte_level(), special('<|endoftext|>') + [AddedToken(' ' * n, normalized=True) for n in (24, 3, 2)],
                               normalizers.NFC())
    yield 'phi', byte_bpe(lines, byte_level(), special('<|endoftext|>') + [AddedToken('\t' * n, normalized=False) for n in (4, 2)])
    yield 'phi-3', spm_bpe(lines, special('<|user|>', '<|end|>', rstrip=True), llama_normal)
    yield 'whisper', byte_bpe(lines, byte_level(), special('<|startoftranscript|>', '<|en|>', '<|notimestamps|>')
                              + [AddedToken('<|0.00|>', normalized=False)],
                              post=around('<|startoftranscript|>', '<|notimestamps|>'))
    yield 'cohere', byte_bpe(lines, sequence(pre_tokenizers.Digits(True), byte_level()), special('<BOS_TOKEN>', '<|END_OF_TURN_TOKEN|>'),
                             normalizers.NFC(), around('<BOS_TOKEN>'))
    yield 'llama2', spm_bpe(lines, [], llama_normal)
    yield 'llama2-metaspace', spm_bpe(lines, [AddedToken('[INST]', normalized=False)], None, metaspace(prepend_scheme='first', split=False))
    yield 'gemma', spm_bpe(lines, special('<bos>', '<start_of_turn>') + [AddedToken('▁▁', normalized=False), AddedToken('\n\n', normalized=False)],
                           normalizers.Replace(' ', '▁'), pre_tokenizers.Split(' ', 'merged_with_previous'),
                           decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse()]), around('<bos>'))
    yield 'mistral', spm_bpe(lines, special('[INST]', '[/INST]'), None, metaspace(prepend_scheme='always', split=False))
    yield 'bert-uncased', wordpiece(lines, True, [AddedToken('[unused1]', single_word=True)])
    yield 'bert-cased', wordpiece(lines, False, [AddedToken('Foo', normalized=True), AddedToken('bar', single_word=True)])
    yield 'bert-plain', wordpiece(lines, True, [AddedToken('Foo')], strip_accents=False, handle_chinese_chars=False, clean_text=False, longest=8)
    t5 = normalizers.Sequence([normalizers.Nmt(), nfkc, normalizers.Replace(Regex(' {2,}'), ' ')])
    yield 't5', unigram(lines, t5, sequence(pre_tokenizers.WhitespaceSplit(), metaspace()), decoders.Metaspace(),
                        special(*[f'<extra_id_{n}>' for n in range(12)]), around(None, '</s>'))
    yield 'xlm-r', unigram(lines, nfkc, metaspace(), decoders.Metaspace(), [AddedToken('<mask>', lstrip=True, special=True, normalized=True)],
                           around('<s>', '</s>'), first=('<s>', '<pad>', '</s>', '<unk>'))
    yield 'deberta-v3', unigram(lines, normalizers.Sequence([normalizers.Strip(), normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
                                metaspace(prepend_scheme='first'), decoders.Metaspace(prepend_scheme='first'), special('[CLS]', '[SEP]'),
                                around('[CLS]', '[SEP]'), byte_fallback=True)
    clip, trainer = bpe(lines, [], end_of_word_suffix='</w>', unk_token='<|endoftext|>')
    clip.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r'\s+'), ' '), normalizers.Lowercase()])
    clip.pre_tokenizer = sequence(split(CLIP, 'removed', True), byte_level(True))
    clip.decoder = decoders.BPEDecoder('</w>')
    train(clip, trainers.BpeTrainer(vocab_size=900, show_progress=False, end_of_word_suffix='</w>',
                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=['<|startoftext|>', '<|endoftext|>']), lines, [])
    clip.post_processor = processors.RobertaProcessing(('<|endoftext|>', 1), ('<|startoftext|>', 0), trim_offsets=False, add_prefix_space=False)
    yield 'clip', clip
    level = Tokenizer(models.WordLevel(unk_token='[UNK]'))
    level.pre_tokenizer = pre_tokenizers.Whitespace()
    train(level, trainers.WordLevelTrainer(vocab_size=500, show_progress=False, special_tokens=['[UNK]', '[CLS]']), lines,
          [AddedToken('hello', single_word=True, lstrip=True)])
    yield 'word-level', level
    prefixed = Tokenizer(models.BPE(unk_token='[UNK]', continuing_subword_prefix='##'))
    prefixed.pre_tokenizer = pre_tokenizers.Whitespace()
    train(prefixed, trainers.BpeTrainer(vocab_size=800, show_progress=False, continuing_subword_prefix='##', special_tokens=['[UNK]']), lines, [])
    prefixed.decoder = decoders.WordPiece(cleanup=False)
    yield 'bpe-prefix', prefixed
    wav = Tokenizer(models.WordLevel({**{chr(97 + n): n for n in range(26)}, '|': 26, '<pad>': 27, '<unk>': 28, "'": 29}, unk_token='<unk>'))
    wav.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(' ', '|')])
    wav.pre_tokenizer = split(r'', 'isolated')
    wav.decoder = decoders.CTC()
    yield 'wav2vec2', wav
    marian = unigram(lines, normalizers.NFKD(), pre_tokenizers.Metaspace(prepend_scheme='always'),
                     decoders.Sequence([decoders.Metaspace(), decoders.Strip(' ', 2, 1)]), [], around(None, '</s>'))
    yield 'marian', marian
