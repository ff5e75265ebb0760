B
upstream_yJKƒ¿— 4¿´¹c¿¶¸¿§¸¿•¿