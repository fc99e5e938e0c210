"""Writes what Hugging Face's tokenizers say of generated texts: one JSON line for a pipeline, then one for each text.

python expect.py --seed S --texts N [--only PIPELINE] [--index I] [--odd K] CORPUS… > FILE
"""
import argparse
import json
import random
import sys

from tokenizers import Tokenizer

from pipelines import corpus, pipelines
from texts import Texts


def attempt(run):
    """The result, or that there is none. A panic of the original says nothing about what is right."""
    try:
        return {'is': run()}
    except Exception as error:
        return {'error': str(error)[:200]}
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return {'panic': str(error)[:200]}


def case(tokenizer, plain, ids, text, draw):
    size = max(ids) + 1
    some = [draw.randrange(size) for _ in range(draw.choice([0, 1, 3, 8]))]
    trained = attempt(lambda: tokenizer.encode(text).ids)
    lists = [trained.get('is', []), some]
    return {
        'text': text,
        'special': trained,
        'plain': attempt(lambda: plain.encode(text, add_special_tokens=False).ids),
        'decoded': [{'ids': one, 'shown': attempt(lambda: tokenizer.decode(one, skip_special_tokens=False)),
                     'skipped': attempt(lambda: tokenizer.decode(one))} for one in lists],
    }


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument('--seed', default='1')
    parse.add_argument('--texts', type=int, default=2000)
    parse.add_argument('--only')
    parse.add_argument('--index', type=int)
    parse.add_argument('--odd', type=int, default=0)
    parse.add_argument('corpus', nargs='+')
    options = parse.parse_args()
    lines = corpus(options.corpus)
    made = pipelines(lines)
    if options.odd:
        from odd import odd_pipelines
        made = odd_pipelines(lines, options.seed, options.odd, options.only)
    for name, source in made:
        if options.only and name != options.only:
            continue
        file = source if isinstance(source, str) else source.to_str()
        opened = attempt(lambda: Tokenizer.from_str(file))
        added = opened['is'].get_added_tokens_decoder() if 'is' in opened else {}
        print(json.dumps({'pipeline': name, 'file': file, 'error': opened.get('error') or opened.get('panic'),
                          'specials': [id for id, token in added.items() if token.special]}))
        if 'is' not in opened:
            continue
        tokenizer, plain = opened['is'], Tokenizer.from_str(file)
        for one in (tokenizer, plain):
            one.no_truncation()
            one.no_padding()
        plain.encode_special_tokens = True
        ids = list(tokenizer.get_vocab().values())
        texts = Texts(f'{options.seed}/{name}', [token.content for token in sorted(added.values(), key=lambda token: token.content)])
        for index in range(options.texts) if options.index is None else [options.index]:
            draw = random.Random(f'{options.seed}/{name}/ids/{index}')
            print(json.dumps({'index': index, **case(tokenizer, plain, ids, texts.text(index), draw)}))


main()
sys.stdout.flush()
