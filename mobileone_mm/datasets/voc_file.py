"""The XML files of VOC sets, read without what XML can do to its reader."""

import xml.etree.ElementTree as ET

ROOT = 'annotation'  # of a file
READ = {  # what is looked up in a file, by the path of its parent in the root
    '.': ('size', 'object'),
    'size': ('width', 'height'),
    'object': ('name', 'difficult', 'bndbox'),
    'object/bndbox': ('xmin', 'ymin', 'xmax', 'ymax'),
}


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


def require_found(root: ET.Element) -> None:
    """Refuse elements that would be passed over for their spelling or their place, as if they were not there.

    Raises:
        ValueError: one differs by case, or by a namespace, from the one that is looked up in its place; an <object>
            lies deeper than it is looked for.
    """
    for place, names in READ.items():
        for element in (child for parent in root.iterfind(place) for child in parent):
            meant = _plain(element)
            if meant in names and element.tag != meant:
                raise ValueError(f'it has <{element.tag}>, expected <{meant}>')
    inner = sum(_plain(element) == 'object' for element in root.iter()) - len(root.findall('object'))
    if inner:
        raise ValueError(f'{inner} <object> do not lie directly in <{ROOT}>')


def _plain(element: ET.Element) -> str:
    """An element's name without namespace, in small letters, as VOC writes its own."""
    return element.tag.rpartition('}')[2].lower()
