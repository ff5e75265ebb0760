B
upstream_yJ0ÉvC?º¿¿‘³"¿eYq?Ð‚©¿k¿|T?!‚U¿d
T¿4Ö—?úEI¿HŠV¿