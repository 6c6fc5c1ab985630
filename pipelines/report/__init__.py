"""The report: what an output says, as one HTML file that needs nothing else to be looked at.

rows      asks the views of an output, a folder's or a dataset's
sections  make tables and charts of what they say, one module for each matter
charts    draws a chart as SVG
page      puts all into one file
"""
