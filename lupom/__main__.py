"""python -m lupom"""

from lupom.cli import main

main()
