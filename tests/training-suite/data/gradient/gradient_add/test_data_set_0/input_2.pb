B
upstream_yJJÖ6?YäK¿;Z?…‹€¿äº?É¬¥¿