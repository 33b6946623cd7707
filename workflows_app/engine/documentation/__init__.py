"""Documentation: a page for people made from a definition, so that it never tells another story than what runs.

``describe`` makes the page's parts from a parsed definition (``fields`` the table of the input, ``steps`` what each
step does, ``policies`` retries and time-outs in words, ``diagram`` the picture as Mermaid text); ``markdown`` writes
them as Markdown, and the web pages show the same parts. Every text in a definition is a stranger's: the parts keep
what is prose and what is code apart, and whoever writes them escapes both.
"""

from workflows_app.engine.documentation.diagram import diagram
from workflows_app.engine.documentation.markdown import markdown
from workflows_app.engine.documentation.page import Page, describe

__all__ = ["Page", "describe", "diagram", "markdown"]
