"""python -m lupom.cli"""

from lupom.cli import main

main()
