B
upstream_yJ¾× ¿¸ó?G¦)¿áÌ?~ €?³D€?