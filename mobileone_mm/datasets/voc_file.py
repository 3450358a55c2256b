"""The XML files of VOC sets, read without what XML can do to its reader."""

import xml.etree.ElementTree as ET

ROOT = 'annotation'  # of a file


class _WithoutDoctype(ET.TreeBuilder):
    """Builds a tree of what declares nothing: entities could expand without end, or name other files."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Called by the parser before it reads a declaration."""
        raise ValueError(f'it has a <!DOCTYPE {name}>, which is not read; take it out')


def parsed(content: bytes) -> ET.Element:
    """The root of a file's content, in whatever encoding it declares.

    Raises:
        ET.ParseError, ValueError: it is no XML, or declares something.
    """
    return ET.fromstring(content, ET.XMLParser(target=_WithoutDoctype()))
