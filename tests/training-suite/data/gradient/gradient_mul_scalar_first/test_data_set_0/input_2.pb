B
upstream_yJ…Yœ¿¶nƒ?Ä?´IT¿S¿?<}ƒ¿