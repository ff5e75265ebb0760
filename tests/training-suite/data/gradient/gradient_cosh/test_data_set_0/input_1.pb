B
upstream_yJ Û™0¿#þ²¿¹	©¿U"u?q¶K?›å´¿×‘?…e¿