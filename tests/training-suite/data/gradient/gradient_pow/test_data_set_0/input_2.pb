B
upstream_zJ ®‰¿U?Pğz?Åv?%Z|?©ê#¿ì}(?êB ¿