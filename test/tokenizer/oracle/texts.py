"""Texts that a tokenizer must cut as the original does: every kind of character, and what looks like its own tokens."""
import random
import sys
import unicodedata

SPACES = ['\t', '\n', '\x0b', '\x0c', '\r', ' ', '\x85', '\xa0', '\u1680', '\u2000', '\u2003', '\u2009', '\u200a', '\u2028',
          '\u2029', '\u202f', '\u205f', '\u3000']
# white space in one language or another, but not by the Unicode property
ALMOST_SPACES = ['\u180e', '\u200b', '\u200c', '\u200d', '\u200e', '\u2060', '\ufeff', '\x1c', '\x1f', '\u2581', '_']
WORDS = ['hello', 'World', 'the', 'a', 'I', "don't", "we'll", "I'M", "they'Ve", "'s", "'S", "'ſ", "n't", 'do not', 'x.y', 'e.g.',
         '...', '--', '?!', '$1', '1,000.5', 'foo_bar', 'camelCase', 'HTTP', 'naïve', 'Straße', 'ΣΑΣ', 'ὈΔΥΣΣΕΎΣ', 'İstanbul', 'ıI',
         'ﬁn', 'ﬆ', 'ＡＢｃ', '½', '①②', 'x²', 'ª', '℃', 'Å', 'K', 'ſ', 'Привет', 'мир', 'שלום', 'مرحبا', 'بِسْمِ', 'नमस्ते', 'สวัสดี',
         'ภาษาไทย', '你好', '世界', '日本語', 'カタカナ', 'ひらがな', 'ー', '한국어', '\u1112\u1161\u11ab', 'é', 'e\u0301', 'a\u0323\u0302', '\u0344',
         '𝔘𝔫𝔦', '𐐀𐐨', '𠀀', '🙂', '👩\u200d🚀', '👨\u200d👩\u200d👧', '👍🏽', '🇩🇪', '🏴\u200d☠️', '☺', '☺️', 'ĠHello', 'Ċ', '<0x41>',
         '<0xE4>', '##ing', '▁the', '</w>', 'a\u0300\u0301\u0302', '\r\n', '\n\n', '  ', '   ', '\t\t', '0', '12', '345', '6789', '1234567',
         '٣٤', '४५', '፩', 'Ⅷ', '㈠', '〇', '\x00', '\x01', '\x7f', '\xad', '\u202e', '\ufffd', '\ufffe', '\ue000', '\U000f0000',
         '\U0010ffff', '!', '"', '#', '(', ')', '[', ']', '{', '}', '|', '\\', '/', '@', '~', '^', '`', '«', '»', '—', '…', '、', '。',
         '،', '।', '¿', '·', '€', '+', '=', '<', '>', '&', '*', '%']


def _by_category():
    kinds = {}
    for point in range(sys.maxunicode + 1):
        if 0xD800 <= point < 0xE000:
            continue
        kinds.setdefault(unicodedata.category(chr(point)), []).append(point)
    return kinds


KINDS = _by_category()
NAMES = sorted(KINDS)


class Texts:
    """Texts from a seed; the text of an index does not depend on the others."""

    def __init__(self, seed, tokens):
        self.seed = seed
        self.tokens = [token for token in tokens if token]

    def text(self, index):
        draw = random.Random(f'{self.seed}/{index}')
        parts = [self._part(draw) for _ in range(draw.choice([0, 1, 1, 2, 3, 4, 6, 9, 14, 25]))]
        return ''.join(parts)

    def _part(self, draw):
        kind = draw.random()
        if kind < 0.3:
            return draw.choice(WORDS)
        if kind < 0.45:
            return ' ' * draw.choice([1, 1, 1, 1, 2, 3])
        if kind < 0.53:
            return ''.join(draw.choice(SPACES) for _ in range(draw.choice([1, 1, 2, 4])))
        if kind < 0.57:
            return draw.choice(ALMOST_SPACES)
        if kind < 0.67:
            return chr(draw.choice(KINDS[draw.choice(NAMES)]))
        if kind < 0.74:
            return ''.join(chr(draw.choice(KINDS[draw.choice(['Nd', 'Nd', 'Nd', 'Nl', 'No'])])) for _ in range(draw.randint(1, 4)))
        if kind < 0.8:
            base = draw.choice(['a', 'E', 'ñ', '\u0928', '\u1100', chr(draw.choice(KINDS['Lo']))])
            return base + ''.join(chr(draw.choice(KINDS[draw.choice(['Mn', 'Mn', 'Mc', 'Me'])])) for _ in range(draw.randint(1, 3)))
        if kind < 0.84:
            return ''.join(draw.choice('abcdeinorst') for _ in range(draw.randint(1, 12)))
        if kind < 0.87:
            return draw.choice(WORDS).upper()
        if kind < 0.89:
            return draw.choice('aZ.0 ') * draw.choice([2, 5, 17, 60])
        if self.tokens:
            return self._token(draw)
        return draw.choice(WORDS)

    def _token(self, draw):
        token = draw.choice(self.tokens)
        kind = draw.random()
        if kind < 0.5:
            return token
        if kind < 0.6:
            return token[:draw.randint(0, len(token))]
        if kind < 0.7:
            return token[draw.randint(0, len(token)):]
        if kind < 0.8:
            return draw.choice(SPACES) + token + draw.choice(SPACES)
        if kind < 0.9:
            return token + token
        return token.swapcase()
