B
upstream_yJ m©?9E„¿‰wb?,Þ¿\/?æ¿´¿¹?,
¿