"""Pipelines of random parts, which nobody would publish: what each part does beside any other."""
import json
import random

from tokenizers import Tokenizer


PATTERNS = [r'\s+', r'\w+', r'\d', r'\p{L}+|\p{N}', r'[^\s\p{L}]+', r'\s++$|\s*[\r\n]', r'(?i:the|a)', r'(?<=\p{L})\p{N}', r'^.|.$', r"'s|\b",
            r'[[:punct:]]+', r'(?>a+)b?', r'.{3}', r'\p{M}', r'(?!\p{Lu})\p{L}', '', ' ', 'a', '▁', '. ', '\n', '👩', 'aa']


def pattern(draw):
    text = draw.choice(PATTERNS)
    return {draw.choice(['String', 'Regex', 'Regex']): text}


def behavior(draw):
    return draw.choice(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'])


def flag(draw):
    return draw.random() < 0.5


def normalizer(draw):
    kind = draw.choice(['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Strip', 'Prepend', 'Replace', 'Replace', 'BertNormalizer', 'Nmt',
                        'ByteLevel'])
    extra = {
        'Strip': lambda: {'strip_left': flag(draw), 'strip_right': flag(draw)},
        'Prepend': lambda: {'prepend': draw.choice(['▁', ' ', 'ab', ''])},
        'Replace': lambda: {'pattern': pattern(draw), 'content': draw.choice(['', ' ', '▁', 'xy', 'é'])},
        'BertNormalizer': lambda: {'clean_text': flag(draw), 'handle_chinese_chars': flag(draw), 'strip_accents': draw.choice([None, True, False]),
                                   'lowercase': flag(draw)},
    }.get(kind, dict)()
    return {'type': kind, **extra}


def pre_tokenizer(draw):
    kind = draw.choice(['ByteLevel', 'Whitespace', 'WhitespaceSplit', 'BertPreTokenizer', 'Metaspace', 'Metaspace', 'Punctuation', 'Digits', 'Split',
                        'Split', 'CharDelimiterSplit', 'UnicodeScripts', 'FixedLength'])
    extra = {
        'ByteLevel': lambda: {'add_prefix_space': flag(draw), 'trim_offsets': flag(draw), 'use_regex': flag(draw)},
        'Metaspace': lambda: {'replacement': draw.choice(['▁', '▁', '_', '𝄞']), 'prepend_scheme': draw.choice(['first', 'always', 'never']),
                              'split': flag(draw)},
        'Punctuation': lambda: {'behavior': behavior(draw)},
        'Digits': lambda: {'individual_digits': flag(draw)},
        'Split': lambda: {'pattern': pattern(draw), 'behavior': behavior(draw), 'invert': flag(draw)},
        'CharDelimiterSplit': lambda: {'delimiter': draw.choice([' ', 'a', '👍', '▁'])},
        'FixedLength': lambda: {'length': draw.randint(1, 6)},
    }.get(kind, dict)()
    return {'type': kind, **extra}


def decoder(draw):
    kind = draw.choice(['ByteLevel', 'WordPiece', 'Metaspace', 'BPEDecoder', 'CTC', 'ByteFallback', 'Fuse', 'Strip', 'Replace'])
    extra = {
        'ByteLevel': lambda: {'add_prefix_space': True, 'trim_offsets': True, 'use_regex': True},
        'WordPiece': lambda: {'prefix': draw.choice(['##', '▁', '']), 'cleanup': flag(draw)},
        'Metaspace': lambda: {'replacement': '▁', 'prepend_scheme': draw.choice(['first', 'always', 'never']), 'split': flag(draw)},
        'BPEDecoder': lambda: {'suffix': draw.choice(['</w>', 'a'])},
        'CTC': lambda: {'pad_token': draw.choice(['<pad>', 'a']), 'word_delimiter_token': '|', 'cleanup': flag(draw)},
        'Strip': lambda: {'content': draw.choice([' ', '▁', 'a']), 'start': draw.randint(0, 2), 'stop': draw.choice([0, 0, 1])},
        'Replace': lambda: {'pattern': pattern(draw), 'content': draw.choice(['', ' ', 'xy'])},
    }.get(kind, dict)()
    return {'type': kind, **extra}


def several(draw, make, field, most=4):
    count = draw.choice([0, 1, 1, 2, 3, most])
    if count == 0:
        return None
    return make(draw) if count == 1 else {'type': 'Sequence', field: [make(draw) for _ in range(count)]}


CONTENTS = ['<s>', '</s>', '[CLS]', 'the', 'The', 'a', 'ab', ' a', 'a ', '▁a', 'é', 'É', 'ﬁ', '12', '<|x|>', '<|x', '👩\u200d🚀', '  ', '\n', '.', 'hello', 'HELLO']


def added(draw):
    contents = draw.sample(CONTENTS, draw.randint(0, 6))
    return [{'id': 900 + i, 'content': content, 'single_word': draw.random() < 0.3, 'lstrip': draw.random() < 0.3, 'rstrip': draw.random() < 0.3,
             'normalized': flag(draw), 'special': flag(draw)} for i, content in enumerate(contents)]


def bases(lines):
    """Models of the published shapes, each with what it says of itself."""
    from pipelines import pipelines
    kept = {}
    for name, tokenizer in pipelines(lines):
        if name in ('gpt2', 'llama2', 'bert-uncased', 'xlm-r', 'deberta-v3', 'word-level', 'clip', 'bpe-prefix'):
            kept[name] = json.loads(tokenizer.to_str())['model']
    return list(kept.values())


def changed(draw, model):
    model = dict(model)
    if model['type'] == 'BPE':
        for key in ('fuse_unk', 'byte_fallback', 'ignore_merges'):
            if draw.random() < 0.3:
                model[key] = not model[key]
        if draw.random() < 0.3:
            model['merges'] = [' '.join(pair) for pair in model['merges']] if all(' ' not in ''.join(pair) for pair in model['merges']) else model['merges']
        if model['unk_token'] is None and draw.random() < 0.5:
            model['unk_token'] = 'a'
    elif model['type'] == 'WordPiece':
        model['max_input_chars_per_word'] = draw.choice([100, 5, 12])
    if model['type'] in ('WordPiece', 'WordLevel') and draw.random() < 0.2:
        del model['type']
    return model


def odd_pipelines(lines, seed, count, only=None):
    found = bases(lines)
    for index in range(count):
        name = f'odd-{index}'
        if only and name != only:
            continue
        draw = random.Random(f'{seed}/{name}')
        tokens, parts = added(draw), {
            'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': several(draw, normalizer, 'normalizers'),
            'pre_tokenizer': several(draw, pre_tokenizer, 'pretokenizers'), 'post_processor': None,
            'decoder': several(draw, decoder, 'decoders'), 'model': changed(draw, draw.choice(found))}
        # a token of which nothing is left takes the original all the memory there is
        bare = Tokenizer.from_str(json.dumps(parts)).normalizer
        try:
            # and of two that become the same the original takes either
            named = {bare.normalize_str(token['content']) if bare and token['normalized'] else token['content']: token for token in tokens}
            parts['added_tokens'] = [token for text, token in named.items() if text != '']
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            continue  # a panic
        yield name, json.dumps(parts)
