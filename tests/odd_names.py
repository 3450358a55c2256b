"""Names of classes and folders in which mmengine would see something to replace, or even code."""

CODE = '{{$ZZ:.|(\\\'),open("PWNED","w").close()#}}'  # as a default: ends the text that it stands in
NAMES = (CODE, '{{$HOME:x}}', '{{fileDirname}}', '{{ _base_.classes }}', 'a{{b}}c', '{{{', '{{{{', '\\{{', '}}')
FOLDER = 'base{{fileDirname}}x'
