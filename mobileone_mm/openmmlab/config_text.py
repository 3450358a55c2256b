"""Texts of configs whose values are read back as they are, whatever a data set calls its classes.

Before Python sees a config, mmengine replaces what stands in double braces anywhere in it, texts and comments included:
`{{fileDirname}}`, `{{_base_.name}}`, and `{{$NAME:default}}` by an environment variable or the default, without
quoting either (`Config._file2dict` of mmengine 0.10). A class of such a name would be read as another one, or as code.
"""

BRACES = '{{'


def without_double_braces(text: str) -> str:
    r"""The text of a Python config with the second of two braces written as `\x7b`, which mmengine leaves alone.

    The values are the same where double braces stand only in comments and in texts as `repr` writes them. Elsewhere
    `repr` writes none: the first key of a dict, or element of a set, can be neither a dict nor a set.
    """
    return text.replace(BRACES, r'{\x7b')
